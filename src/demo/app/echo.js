const state = document.getElementById("state");
const words = document.getElementById("words");
const answers = document.getElementById("answers");
const socket = new WebSocket(location.origin.replace(/^http/, "ws") + "/ws");
const say = (word) => { state.textContent = word; state.className = word; };
socket.addEventListener("open", () => say("connected"));
socket.addEventListener("close", () => say("closed"));
socket.addEventListener("message", (event) => {
  const answer = document.createElement("li");
  answer.textContent = event.data;
  answers.append(answer);
});
document.getElementById("say").addEventListener("submit", (event) => {
  event.preventDefault();
  socket.send(words.value);
});
