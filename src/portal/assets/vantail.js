// What makes the pages more comfortable; every page works without it.
(function () {
  "use strict";
  var lang = document.documentElement.lang;
  var locale = navigator.languages.find(function (own) { return own.split("-")[0] === lang; }) || lang;

  // A code sends itself at its last digit.
  document.querySelectorAll("[data-sends-at]").forEach(function (field) {
    field.addEventListener("input", function () {
      var length = Number(field.dataset.sendsAt);
      if (/^[0-9]+$/.test(field.value) && field.value.length === length && field.form.checkValidity()) {
        field.form.requestSubmit();
      }
    });
  });

  // A form is sent once: what a second click sends would find its work done. It can be sent again when somebody comes back
  // to the page, and when no answer has come in ten seconds.
  document.querySelectorAll("form[method=post]").forEach(function (form) {
    var sent = false;
    function mark(now) {
      sent = now;
      form.querySelectorAll("button[type=submit]").forEach(function (button) { button.disabled = now; });
    }
    form.addEventListener("submit", function (event) {
      if (sent) { event.preventDefault(); return; }
      mark(true);
      setTimeout(mark, 10000, false);
    });
    addEventListener("pageshow", function () { mark(false); });
  });

  // Show and hide what is typed.
  document.querySelectorAll("[data-shows]").forEach(function (button) {
    var field = document.getElementById(button.dataset.shows);
    var show = button.textContent;
    button.hidden = false;
    button.addEventListener("click", function () {
      var hidden = field.type === "password";
      field.type = hidden ? "text" : "password";
      button.textContent = hidden ? button.dataset.hide : show;
      button.setAttribute("aria-pressed", String(hidden));
    });
  });

  // What is shown once is copied whole.
  document.querySelectorAll("[data-copies]").forEach(function (button) {
    if (!navigator.clipboard) { return; }
    button.hidden = false;
    button.addEventListener("click", function () {
      var lines = document.querySelectorAll("#" + button.dataset.copies + " li");
      var text = Array.prototype.map.call(lines, function (line) { return line.textContent.trim(); }).join("\n");
      navigator.clipboard.writeText(text).then(function () { button.textContent = button.dataset.done; });
    });
  });

  // Moments in local time; the exact one in UTC stays as the tip.
  document.querySelectorAll("time[datetime]").forEach(function (time) {
    var at = new Date(time.dateTime);
    if (!isNaN(at)) {
      time.title = time.textContent;
      time.textContent = at.toLocaleString(locale, { dateStyle: "long", timeStyle: "medium" });
    }
  });

  // The time that is left.
  function left(until) {
    var seconds = Math.max(0, Math.round((until - Date.now()) / 1000));
    var minutes = Math.floor(seconds / 60);
    return minutes + ":" + String(seconds % 60).padStart(2, "0");
  }
  document.querySelectorAll("[data-left]").forEach(function (place) {
    var until = Date.now() + 1000 * Number(place.dataset.left);
    function show() { place.textContent = left(until); }
    show();
    setInterval(show, 1000);
  });

  // What waits asks for its state, and moves on when that has changed.
  document.querySelectorAll("[data-poll]").forEach(function (place) {
    function ask() {
      fetch(place.dataset.poll, { headers: { Accept: "application/json" } })
        .then(function (response) { return response.ok ? response.json() : { state: "gone" }; })
        .then(function (operation) {
          if (operation.state === place.dataset.state) { setTimeout(ask, 2000); } else { location.reload(); }
        })
        .catch(function () { setTimeout(ask, 5000); });
    }
    setTimeout(ask, 1500);
  });
})();
