import { createFrameworkRoute } from "./framework-route.ts";

declare const Deno: {
  serve(
    options: object,
    handler: (request: Request) => Response | Promise<Response>,
  ): { addr: { port: number } };
};

const route = createFrameworkRoute({ report: (event) => console.log(event), hasOwnCors: true });
const port = 0;
const server = Deno.serve({ port }, route.fetch);
console.log(server.addr.port);
