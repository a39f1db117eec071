"use strict";
{
  const picture = document.querySelector("svg");
  const tip = document.getElementById("tip");
  const arrows = [...picture.querySelectorAll(".arrow")];

  const show = (tile, x, y) => {
    tip.textContent = tile.dataset.tip;
    tip.hidden = false;
    const { width, height } = tip.getBoundingClientRect();
    tip.style.left = Math.max(4, Math.min(x + 16, innerWidth - width - 8)) + "px";
    tip.style.top = Math.max(4, Math.min(y + 16, innerHeight - height - 8)) + "px";
    picture.classList.add("pointing");
    for (const arrow of arrows) {
      const { from, to } = arrow.dataset;
      arrow.classList.toggle("own", from === tile.dataset.tile || to === tile.dataset.tile);
    }
  };
  const hide = () => {
    tip.hidden = true;
    picture.classList.remove("pointing");
  };

  picture.addEventListener("pointermove", (event) => {
    const tile = event.target.closest(".tile");
    if (tile) show(tile, event.clientX, event.clientY);
    else hide();
  });
  picture.addEventListener("pointerleave", hide);
  picture.addEventListener("focusin", (event) => {
    const { right, top } = event.target.getBoundingClientRect();
    show(event.target, right, top);
  });
  picture.addEventListener("focusout", hide);
}
