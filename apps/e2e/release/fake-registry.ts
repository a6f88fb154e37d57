/** A registry on loopback that knows no package and accepts every one: it keeps what was published. */
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { text } from "node:stream/consumers";

/** A package as the registry received it. */
interface PublishedPackage {
  name: string;
  access: string;
  manifest: {
    name: string;
    version: string;
    exports: Record<string, unknown>;
    bin?: Record<string, string>;
    dependencies?: Record<string, string>;
  };
  tarball: Uint8Array;
}

export interface FakeRegistry {
  url: string;
  /** In the order in which they were published. */
  published: PublishedPackage[];
  close(): Promise<void>;
}

export async function startFakeRegistry(): Promise<FakeRegistry> {
  const published: PublishedPackage[] = [];
  const server = createServer(async (request, response) => {
    const body = await text(request);
    if (request.method !== "PUT") {
      response.writeHead(404, { "content-type": "application/json" }).end('{"error":"not_found"}');
      return;
    }
    const { name, access, versions, _attachments } = JSON.parse(body);
    const [manifest] = Object.values<PublishedPackage["manifest"]>(versions);
    const [attachment] = Object.values<{ data: string }>(_attachments);
    published.push({ name, access, manifest: manifest!, tarball: Buffer.from(attachment!.data, "base64") });
    response.writeHead(201, { "content-type": "application/json" }).end("{}");
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}/`,
    published,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}
