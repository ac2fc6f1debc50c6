"use strict";
// Only with --interactive: draw each chart again, with words on hover and zoom; the image stays where that fails.
const style = getComputedStyle(document.documentElement);
const colours = JSON.parse(document.getElementById("colours").textContent);
let text = document.getElementById("specs").textContent;
for (const [colour, variable] of Object.entries(colours)) {
  text = text.replaceAll(`"${colour}"`, JSON.stringify(style.getPropertyValue(variable).trim() || colour));
}
for (const [name, spec] of Object.entries(JSON.parse(text))) {
  const image = document.querySelector(`[data-chart="${CSS.escape(name)}"] > svg`);
  const live = document.createElement("div");
  live.className = "live";
  live.hidden = true;
  image.after(live);
  // ast: expressions are interpreted, not compiled, since the page's policy forbids making code from text.
  vegaEmbed(live, spec, { ast: true, actions: false, renderer: "svg", logLevel: 1 }).then(
    () => { live.hidden = false; image.classList.add("printed"); },
    (problem) => { live.remove(); console.warn(`${name} stays an image: ${problem.message}`); },
  );
}
