function theme() {
  const button = document.getElementById("theme");
  const system = matchMedia("(prefers-color-scheme: dark)");
  // A page from a file may have nowhere to remember.
  const stored = (action) => { try { return action(localStorage); } catch { return null; } };
  let chosen = stored((store) => store.getItem("lexigrad-theme"));
  const set = () => {
    const dark = chosen ? chosen === "dark" : system.matches;
    document.documentElement.dataset.theme = dark ? "dark" : "light";
    button.setAttribute("aria-pressed", String(dark));
  };
  set();
  system.addEventListener("change", set);
  button.addEventListener("click", () => {
    chosen = document.documentElement.dataset.theme === "dark" ? "light" : "dark";
    stored((store) => store.setItem("lexigrad-theme", chosen));
    set();
  });
}

document.title = data.title;
document.getElementById("title").textContent = data.title;
theme();
hints();
if (data.metrics.length || data.settings.length) summary();
if (data.curves.length) curves();
if (data.confusion) confusion();
if (data.space && data.space.pictures.length) space();
if (data.neighbours.length) neighbours();
if (data.explained.length) explained();
