// Loads the page. Where one of its files did not come, as from a machine that is very busy, it is loaded anew.

(() => {
  const TRIED = "loading was tried";
  const MOST = 5;
  const styled = () => {
    if ([...document.querySelectorAll("link[rel=stylesheet]")].some((link) => !link.sheet)) throw new Error("a style sheet is missing");
  };
  import("/static/app.js").then(styled).then(() => sessionStorage.removeItem(TRIED)).catch((error) => {
    const tried = Number(sessionStorage.getItem(TRIED) ?? 0) + 1;
    sessionStorage.setItem(TRIED, String(tried));
    const lost = document.getElementById("lost");
    lost.hidden = false;
    lost.textContent = tried < MOST ? "A part of this page did not come from the monitor. Trying again." : `This page cannot be loaded: ${error.message}`;
    if (tried < MOST) setTimeout(() => location.reload(), 1000 * tried);
  });
})();
