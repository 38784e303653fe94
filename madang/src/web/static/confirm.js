// A question before something that cannot be undone.

/** Asks `question`; `yes` names the button that agrees. Resolves to whether it was pressed. */
export async function confirmed(question, yes) {
  const no = document.documentElement.dataset.textCancel;
  if (!no || !yes || !window.HTMLDialogElement) return window.confirm(question);

  const dialog = document.createElement("dialog");
  dialog.className = "confirm";
  dialog.setAttribute("role", "alertdialog");
  dialog.setAttribute("aria-label", question);
  const text = document.createElement("p");
  text.textContent = question;
  dialog.append(text, closer(dialog, no, ""), closer(dialog, yes, "yes"));
  document.body.append(dialog);
  // The first button gets the focus, so Enter by habit declines; Escape declines too.
  dialog.showModal();
  await new Promise((resolve) => dialog.addEventListener("close", resolve, { once: true }));
  dialog.remove();
  return dialog.returnValue === "yes";
}

function closer(dialog, label, value) {
  const button = document.createElement("button");
  button.type = "button";
  button.textContent = label;
  button.addEventListener("click", () => dialog.close(value));
  return button;
}
