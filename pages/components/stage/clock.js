// Time of a talk: seconds as 4:05, and how many are meant to have gone when a scene ends.

export function clock(seconds) {
  const whole = Math.max(0, Math.floor(seconds));
  return `${Math.floor(whole / 60)}:${String(whole % 60).padStart(2, "0")}`;
}

export function planned(scenes, at) {
  return scenes.slice(0, at + 1).reduce((sum, scene) => sum + (scene.seconds ?? 0), 0);
}
