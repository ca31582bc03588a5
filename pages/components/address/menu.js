// On a phone the menu lies over the page: a choice in it closes it again, as everywhere. (Streamlit leaves it open.)

const NARROW = 768; // px, below which it lies over the page

export function closing() {
  document.addEventListener("click", event => {
    if (window.innerWidth >= NARROW || !event.target.closest?.("[data-testid=stSidebarNavLink]")) return;
    // After Streamlit has heard the press: what it takes out of the page hears nothing any more.
    setTimeout(() => document.querySelector("[data-testid=stSidebarCollapseButton] button")?.click());
  });
}
