import { createFrameworkRoute } from "./framework-route.ts";

interface BunRequest extends Request {
  cookies: { set(name: string, value: string): void };
}
declare const Bun: { serve(options: object): { port: number } };

const route = createFrameworkRoute({
  report: (event) => console.log(event),
  hasOwnCors: true,
  onAuthorize: (request) => (request as BunRequest).cookies.set("visit", "1"),
});
const port = 0;
const server = Bun.serve({ port, routes: { "/api/chat": route.fetch } });
console.log(server.port);
