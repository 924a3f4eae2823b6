// What takes a script on the account pages: passkeys. Shows what is for them only where the browser has them.
"use strict";

(() => {
  if (!window.isSecureContext || !window.PublicKeyCredential || !navigator.credentials) return;

  const REFRESH_MS = 4 * 60 * 1000; // a challenge lasts five minutes
  let waiting = null; // what stops the browser from offering passkeys in the address field

  const decode = (text) =>
    Uint8Array.from(atob(text.replaceAll("-", "+").replaceAll("_", "/")), (letter) => letter.charCodeAt(0));
  const encode = (bytes) =>
    btoa(String.fromCharCode(...new Uint8Array(bytes))).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
  const decodeIds = (known) => (known || []).map((one) => ({ ...one, id: decode(one.id) }));

  class Refused extends Error {} // the server's own words, in the reader's language

  async function send(path, body) {
    const answer = await fetch(`/account/passkeys/${path}`, {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify(body || {}),
    });
    const read = await answer.json().catch(() => ({}));
    if (!answer.ok) throw read.error ? new Refused(read.error) : new Error(`HTTP ${answer.status}`);
    return read;
  }

  function written(credential) {
    const { clientDataJSON, attestationObject, authenticatorData, signature, userHandle } = credential.response;
    const parts = { clientDataJSON, attestationObject, authenticatorData, signature, userHandle };
    const response = Object.fromEntries(
      Object.entries(parts).filter(([, bytes]) => bytes).map(([name, bytes]) => [name, encode(bytes)])
    );
    return { id: credential.id, rawId: encode(credential.rawId), type: credential.type, response };
  }

  async function make() {
    const asked = await send("add/options");
    const user = { ...asked.user, id: decode(asked.user.id) };
    const excludeCredentials = decodeIds(asked.excludeCredentials);
    const publicKey = { ...asked, user, excludeCredentials, challenge: decode(asked.challenge) };
    return written(await navigator.credentials.create({ publicKey }));
  }

  async function sign(does, more) {
    const asked = await send(`${does}/options`);
    const allowCredentials = decodeIds(asked.allowCredentials);
    const publicKey = { ...asked, allowCredentials, challenge: decode(asked.challenge) };
    return written(await navigator.credentials.get({ publicKey, ...more }));
  }

  async function run(form) {
    const { passkey: does, next } = form.dataset;
    const name = form.elements?.name?.value;
    const answer = does === "add" ? await make() : await sign(does);
    await send(does, { answer, name });
    if (next) location.assign(next);
    else goOn(form.closest("form"));
  }

  // Sends the form that a proof was wanted for: no code is needed any more.
  function goOn(form) {
    if (form.elements.code) form.elements.code.required = false;
    form.requestSubmit();
  }

  function tell(form, text) {
    const place = form.querySelector("[role=alert]");
    place.textContent = text;
    place.hidden = !text;
  }

  async function press(form) {
    const button = form.querySelector("button");
    waiting?.abort();
    tell(form, "");
    button.disabled = true;
    try {
      await run(form);
    } catch (error) {
      const { failed, known } = form.dataset;
      tell(form, error instanceof Refused ? error.message : error.name === "InvalidStateError" && known ? known : failed);
      offer(form);
    } finally {
      button.disabled = false;
    }
  }

  // Has the browser offer passkeys where the address is typed. Whatever goes wrong there, the button is left.
  async function offer(form) {
    if (form.dataset.passkey !== "sign-in") return;
    if (!(await PublicKeyCredential.isConditionalMediationAvailable?.())) return;
    waiting?.abort();
    const mine = (waiting = new AbortController());
    const answer = await sign("sign-in", { mediation: "conditional", signal: mine.signal }).catch(() => null);
    if (!answer) return;
    try {
      await send("sign-in", { answer });
      location.assign(form.dataset.next);
    } catch (error) {
      tell(form, error instanceof Refused ? error.message : form.dataset.failed);
    }
  }

  for (const form of document.querySelectorAll("[data-passkey]")) {
    form.hidden = false;
    const pressed = (event) => {
      event.preventDefault();
      press(form);
    };
    if (form instanceof HTMLFormElement) form.addEventListener("submit", pressed);
    else form.querySelector("button").addEventListener("click", pressed);
    offer(form);
    const rests = () => document.visibilityState === "visible" && !form.querySelector("button").disabled;
    setInterval(() => rests() && offer(form), REFRESH_MS);
  }
  for (const text of document.querySelectorAll("[data-no-passkey]")) text.hidden = true;
})();
