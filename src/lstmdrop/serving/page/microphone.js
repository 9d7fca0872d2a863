// Hands the microphone's samples on, in pieces of about a tenth of a second.
class Microphone extends AudioWorkletProcessor {
  constructor() {
    super();
    this.parts = [];
    this.length = 0;
  }
  process(inputs) {
    const samples = inputs[0][0];
    if (!samples) return true;
    this.parts.push(samples.slice());
    this.length += samples.length;
    if (this.length >= sampleRate / 10) {
      const chunk = new Int16Array(this.length);
      let at = 0;
      for (const part of this.parts) for (const value of part) chunk[at++] = Math.max(-1, Math.min(1, value)) * 32767;
      this.port.postMessage(chunk.buffer, [chunk.buffer]);
      this.parts = [];
      this.length = 0;
    }
    return true;
  }
}
registerProcessor("microphone", Microphone);
