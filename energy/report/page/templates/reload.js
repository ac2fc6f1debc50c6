"use strict";
// Only in the served page: look every two seconds whether the report was made anew, and if so, show it.
(() => {
  const shown = document.querySelector("meta[name=version]").content;
  async function look() {
    try {
      const answer = await fetch("version.txt", { cache: "no-store" });
      const version = (await answer.text()).trim();
      if (answer.ok && version !== shown) return location.reload();
    } catch {
      return; // the server has ended; the page stays as it is
    }
    setTimeout(look, 2000);
  }
  setTimeout(look, 2000);
})();
