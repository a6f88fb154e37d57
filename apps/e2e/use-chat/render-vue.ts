/** Renders a scene on a server, in Vue. */
import { createSSRApp } from "vue";
import { renderToString } from "vue/server-renderer";
import { scenes } from "./scenes-vue.ts";

export const renderScene = (name: string): Promise<string> =>
  renderToString(createSSRApp(scenes[name as keyof typeof scenes]));
