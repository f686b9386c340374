"use strict";
// A button that prints; without JavaScript the browser's own menu does.
(() => {
  const b = document.getElementById("print");
  b.hidden = false;
  b.addEventListener("click", () => window.print());
})();
