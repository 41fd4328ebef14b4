// Light or dark: by the system, or as chosen.

/** Shows the page as it was chosen before. */
export function setTheme(name = localStorage.getItem("kins-theme")) {
  if (name === "light" || name === "dark") document.documentElement.dataset.theme = name;
}

/** Changes from one to the other. */
export function turnTheme() {
  const dark = document.documentElement.dataset.theme ?? (matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light");
  const other = dark === "dark" ? "light" : "dark";
  localStorage.setItem("kins-theme", other);
  setTheme(other);
}
