/**
 * A worker thread that reads a response as fast as it can and keeps nothing, so that the server's socket never fills up
 * and the client gives its event loop no rest. Leaves at a message. Plain JavaScript, because no test runner loads it.
 */
import { request } from "node:http";
import { connect } from "node:http2";
import { parentPort, workerData } from "node:worker_threads";

const { origin, certificate } = workerData;

if (certificate === undefined) {
  const headers = { "accept-encoding": "gzip" };
  const opened = request(origin, { agent: false, headers }, (response) =>
    response.on("error", () => {}).resume(),
  );
  opened.on("error", () => {}).end();
  parentPort.on("message", () => opened.destroy());
} else {
  const session = connect(origin, { ca: certificate });
  session.on("error", () => {});
  session
    .request({ ":path": "/" })
    .on("error", () => {})
    .resume();
  parentPort.on("message", () => session.destroy());
}
