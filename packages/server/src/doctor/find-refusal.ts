/** A response that is not a stream: the request was refused, redirected, or answered by something else. */
import { culpritOf } from "./blame.ts";
import { type Finding, fault } from "./finding.ts";
import { hopsOf } from "./known-hops.ts";
import type { Recording } from "./recording.ts";

export function findRefusal({ status, headers, ...recording }: Recording): Finding | undefined {
  const text = recording.text === "" ? "an empty body" : recording.text;
  if (status >= 300 && status < 400) {
    return fault("redirected", `The route redirects to ${headers.location} with status ${status}.`, {
      fixes: [
        "ask for that URL",
        "`--header 'cookie: …'`, as your page sends it, if that is the page of a login",
      ],
    });
  }
  if (status === 401 || status === 403) {
    return fault("refused", `The route refuses the request with status ${status}: ${text}`, {
      fixes: ["`--header 'cookie: …'` or `--header 'authorization: …'`, as your page sends it"],
    });
  }
  const type = headers["content-type"] ?? "no content type";
  // This package has a status of 503 too, in JSON.
  if (status === 502 || status === 504 || (status === 503 && !type.includes("json"))) {
    return fault("refused", `The response has status ${status}: ${text}`, {
      culprit: culpritOf(hopsOf(headers), "The proxy has not reached the route, or did not wait for it."),
    });
  }
  if (status === 400 && /plain HTTP request|speaking plain HTTP/i.test(text)) {
    return fault("refused", `The response has status 400: ${text}`, { fixes: ["`https:` in the URL"] });
  }
  if (status < 200 || status > 299) {
    const fix =
      status === 404 || status === 405
        ? "the URL of the route, which a POST must reach"
        : status < 500 && "`--body '{…}'`, if the route expects another request";
    return fault("refused", `The response has status ${status} and ${type}: ${text}`, {
      fixes: fix ? [fix] : [],
    });
  }
  if (!/^text\/event-stream/i.test(type)) {
    return fault("not-an-event-stream", `The response has ${type} instead of text/event-stream: ${text}`, {
      culprit: "Often the page of a proxy or of a login, or another URL than that of the route.",
    });
  }
  return undefined;
}
