"use strict";
// Only in the served page: look every two seconds whether the report was made anew, and if so, show it.
(() => {
  let shown = null;
  async function look() {
    try {
      const answer = await fetch("version.txt", { cache: "no-store" });
      const version = (await answer.text()).trim();
      if (shown !== null && answer.ok && version !== shown) location.reload();
      if (answer.ok) shown = shown === null ? version : shown;
    } catch {
      return; // the server has ended; the page stays as it is
    }
    setTimeout(look, 2000);
  }
  look();
})();
