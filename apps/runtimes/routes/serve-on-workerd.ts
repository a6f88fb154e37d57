import { createFrameworkRoute } from "./framework-route.ts";

const route = createFrameworkRoute({ report: (event) => console.log(event), hasOwnCors: true });
// biome-ignore lint/style/noDefaultExport: Workers want it
export default { fetch: route.fetch };
