"use strict";

let token = "";
const headers = (more) => (token ? { ...more, Authorization: `Bearer ${token}` } : more);
const element = (name, properties) => Object.assign(document.createElement(name), properties);

async function refusal(response) {
  const { detail } = await response.json().catch(() => ({ detail: response.statusText }));
  const text = typeof detail === "string" ? detail : detail.map((one) => `${one.loc.at(-1)}: ${one.msg}`).join("; ");
  return new Error(`${response.status}: ${text}`);
}

class Panel {
  constructor(model, service) {
    this.service = service;
    this.path = `/${model.name}/${service.name}`;
    this.section = document.getElementById("service").content.cloneNode(true).firstElementChild;
    this.section.id = `${model.name}-${service.name}`;
    this.find("h2").textContent = `${service.name} · ${model.name}`;
    this.find(".about").textContent = `${service.summary} (${model.about})`;
    this.addInput();
    this.addOptions();
    this.addButton(service.name, () => this.ask());
    if (service.stream) this.addButton(`${service.name}, word by word`, () => this.stream());
    if (service.live) this.addMicrophone();
  }

  find(selector) {
    return this.section.querySelector(selector);
  }

  addInput() {
    const isText = this.service.takes === "text";
    const name = isText ? "Text" : this.service.takes === "image" ? "Image" : "Sound";
    this.input = isText
      ? element("textarea", { ariaLabel: name })
      : element("input", { type: "file", ariaLabel: name, accept: isText ? "" : { image: "image/*", sound: "audio/*" }[this.service.takes] });
    this.find(".input").append(this.input);
    if (this.service.takes === "image") {
      const picture = element("img", { alt: "the image that you chose", hidden: true });
      this.input.addEventListener("change", () => {
        picture.hidden = !this.input.files.length;
        if (this.input.files.length) picture.src = URL.createObjectURL(this.input.files[0]);
      });
      this.find(".input").append(picture);
    }
  }

  addOptions() {
    this.options = {};
    for (const [name, schema] of Object.entries(this.service.options)) {
      const label = element("label", { textContent: `${name.replaceAll("_", " ")} `, title: schema.description ?? "" });
      const field = element("input", { value: schema.default ?? "", placeholder: "default" });
      label.append(field);
      this.find(".options").append(label);
      this.options[name] = { field, isNumber: JSON.stringify(schema).match(/"(integer|number)"/) !== null };
    }
  }

  chosen() {
    const given = Object.entries(this.options).filter(([, { field }]) => field.value.trim() !== "");
    return Object.fromEntries(given.map(([name, { field, isNumber }]) => [name, isNumber ? Number(field.value) : field.value]));
  }

  addButton(text, act) {
    const button = element("button", { textContent: text });
    button.addEventListener("click", async () => {
      this.setBusy(true); // one answer at a time, or an earlier one would be written over a later one
      this.show("");
      this.find("details").hidden = true;
      try {
        await act();
      } catch (error) {
        this.show(error.message, true);
      }
      this.setBusy(false);
    });
    this.find(".buttons").append(button);
    return button;
  }

  setBusy(isBusy) {
    for (const button of this.find(".buttons").querySelectorAll("button")) button.disabled = isBusy;
  }

  show(text, isWrong = false) {
    const output = this.find("output");
    output.textContent = text;
    output.classList.toggle("wrong", isWrong);
  }

  showAll(answer) {
    this.show(answer.text);
    this.find("details").hidden = false;
    this.find("pre").textContent = JSON.stringify(answer, null, 1);
  }

  async post(path) {
    let response;
    if (this.service.takes === "text") {
      const body = JSON.stringify({ text: this.input.value, ...this.chosen() });
      response = await fetch(path, { method: "POST", headers: headers({ "Content-Type": "application/json" }), body });
    } else {
      if (!this.input.files.length) throw new Error("choose a file first");
      const query = new URLSearchParams(this.chosen());
      const body = this.input.files[0];
      response = await fetch(`${path}?${query}`, { method: "POST", headers: headers({ "Content-Type": "application/octet-stream" }), body });
    }
    if (!response.ok) throw await refusal(response);
    return response;
  }

  async ask() {
    this.showAll(await (await this.post(this.path)).json());
  }

  async stream() {
    const reader = (await this.post(`${this.path}/stream`)).body.pipeThrough(new TextDecoderStream()).getReader();
    let rest = "";
    for (let { value, done } = await reader.read(); !done; { value, done } = await reader.read()) {
      const events = (rest + value).split("\n\n");
      rest = events.pop();
      for (const event of events) {
        const data = JSON.parse(event.split("data: ")[1]);
        if (event.startsWith("event: error")) throw new Error(data.detail);
        if (!event.startsWith("event: done")) this.showAll(data);
      }
    }
  }

  addMicrophone() {
    let stop = null;
    const button = this.addButton("speak", async () => {
      if (stop) return stop();
      stop = await this.listen(() => {
        stop = null;
        button.textContent = "speak";
      });
      button.textContent = "stop";
    });
  }

  async listen(whenOver) {
    const microphone = await navigator.mediaDevices.getUserMedia({ audio: { channelCount: 1 } });
    const context = new AudioContext({ sampleRate: this.service.live.rate });
    await context.audioWorklet.addModule("/microphone.js");
    const worklet = new AudioWorkletNode(context, "microphone");
    const address = `${location.protocol === "https:" ? "wss" : "ws"}://${location.host}${this.path}/live`;
    const socket = new WebSocket(address, token ? ["lstmdrop", `token.${token}`] : ["lstmdrop"]);
    const silence = () => {
      microphone.getTracks().forEach((track) => track.stop());
      if (context.state !== "closed") context.close();
    };
    worklet.port.onmessage = ({ data }) => socket.readyState === WebSocket.OPEN && socket.send(data);
    socket.onopen = () => {
      socket.send(JSON.stringify(this.chosen()));
      context.createMediaStreamSource(microphone).connect(worklet);
    };
    socket.onmessage = ({ data }) => {
      const answer = JSON.parse(data);
      if (answer.detail) this.show(answer.detail, true);
      else this.showAll(answer);
    };
    socket.onclose = ({ reason }) => {
      silence();
      if (reason) this.show(reason, true);
      whenOver();
    };
    return () => {
      silence();
      socket.send("end");
    };
  }
}

async function start() {
  const response = await fetch("/models", { headers: headers({}) });
  document.getElementById("token").hidden = response.status !== 401;
  if (!response.ok) return;
  const main = document.getElementById("models");
  main.replaceChildren();
  for (const model of await response.json()) for (const service of model.services) main.append(new Panel(model, service).section);
}

document.getElementById("token").addEventListener("submit", (event) => {
  event.preventDefault();
  token = document.getElementById("given").value;
  start();
});
start();
