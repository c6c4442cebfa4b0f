// Keys: what each does, where it does it, and the list of them.

import { make } from "./make.js";

const OFF = "single keys are off";
const $ = (id) => document.getElementById(id);
const typing = (target) => target.closest?.("input:not([type=radio], [type=checkbox]), textarea, select, [contenteditable]");
const uses = (target, key) => (key === "Enter" || key === " ") && target.closest?.("button, a, summary, [role=slider]");

export class Keys {
  /** actions: [{keys: ["j"], shown: "j", words, where: "list" | "call" | "", go}]. view: () => "list" or "call". */
  constructor(actions, view) {
    Object.assign(this, { actions, view });
    $("keys-on").checked = localStorage.getItem(OFF) === null;
    $("keys-on").addEventListener("change", () => {
      if ($("keys-on").checked) localStorage.removeItem(OFF);
      else localStorage.setItem(OFF, "yes");
    });
    const parts = [["", "Everywhere"], ["list", "In the list"], ["call", "In a call or a file"]];
    $("keys-list").append(...parts.flatMap(([where, title]) => [make("dt", { class: "part" }, title), make("dd", { class: "part" }),
      ...actions.filter((action) => action.where === where).flatMap(({ shown, words }) => [make("dt", {}, make("kbd", {}, shown)), make("dd", {}, words)])]));
    document.addEventListener("keydown", (event) => this.press(event));
    $("show-keys").addEventListener("click", () => $("keys").showModal());
  }

  press(event) {
    const { key, target } = event;
    if (event.ctrlKey || event.metaKey || event.altKey || document.querySelector("dialog[open]")) return;
    if (typing(target) && key !== "Escape") return;
    if (uses(target, key)) return;
    if (key !== "Escape" && key.length === 1 && !$("keys-on").checked) return;
    const action = this.actions.find((one) => one.keys.includes(key) && (!one.where || one.where === this.view()));
    if (!action) return;
    if (target.closest?.("[role=slider]") && key.startsWith("Arrow")) return;
    event.preventDefault();
    action.go(event);
  }
}
