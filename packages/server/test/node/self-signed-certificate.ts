/** A certificate for 127.0.0.1, generated for each test run, which clients really verify. */
import { generate } from "selfsigned";

export interface Certificate {
  /** PEM. */
  key: string;
  /** PEM. */
  cert: string;
}

let certificate: Promise<Certificate> | undefined;

export function selfSignedCertificate(): Promise<Certificate> {
  certificate ??= generate([{ name: "commonName", value: "127.0.0.1" }], {
    keyType: "ec",
    algorithm: "sha256",
    extensions: [{ name: "subjectAltName", altNames: [{ type: 7, ip: "127.0.0.1" }] }],
  }).then((pems) => ({ key: pems.private, cert: pems.cert }));
  return certificate;
}
