// Writes times in the reader's own zone, and names it; what the page says in UTC stays as the title.
"use strict";
function writeTimes(root) {
  const { lang } = document.documentElement;
  const format = new Intl.DateTimeFormat(navigator.languages.find((one) => one.split("-")[0] === lang) ?? lang, {
    weekday: "long", day: "numeric", month: "long", year: "numeric", hour: "2-digit", minute: "2-digit",
    timeZoneName: "short",
  });
  for (const time of root.querySelectorAll("time[datetime]:not([title])")) {
    time.title = time.textContent;
    time.textContent = format.format(new Date(time.dateTime));
  }
}
writeTimes(document);
document.addEventListener("htmx:afterSettle", (event) => writeTimes(event.target));
