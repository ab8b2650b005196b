const state = document.getElementById("state");
const words = document.getElementById("words");
const answers = document.getElementById("answers");
const socket = new WebSocket(location.origin.replace(/^http/, "ws") + "/ws");
socket.addEventListener("open", () => { state.textContent = "connected"; });
socket.addEventListener("close", () => { state.textContent = "closed"; });
socket.addEventListener("message", (event) => {
  const answer = document.createElement("li");
  answer.textContent = event.data;
  answers.append(answer);
});
document.getElementById("say").addEventListener("submit", (event) => {
  event.preventDefault();
  socket.send(words.value);
});
