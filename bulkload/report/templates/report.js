"use strict";
(() => {
  const text = document.getElementById("cell-text");
  const only = document.getElementById("cell-missing");
  const said = document.getElementById("cell-count");
  if (!text || !only || !said) return;
  const rows = [...document.querySelectorAll("#cells tr[data-name]")];
  const apply = () => {
    const wanted = text.value.trim().toLowerCase();
    let shown = 0;
    for (const row of rows) {
      const fits = row.dataset.name.toLowerCase().includes(wanted) &&
        (!only.checked || row.dataset.missing !== "0");
      row.hidden = !fits;
      if (fits) shown += 1;
    }
    said.textContent = `${shown.toLocaleString("en")} of ${rows.length.toLocaleString("en")} cells`;
  };
  text.addEventListener("input", apply);
  only.addEventListener("change", apply);
  document.getElementById("cell-filter").hidden = false;
  apply();
})();
