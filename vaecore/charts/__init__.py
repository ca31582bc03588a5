"""Charts as data: what `pages/components` draws in a browser, packed. No torch, no Streamlit."""
