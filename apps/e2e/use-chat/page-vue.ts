/** Shows the scene in the page's path, in Vue. */
import { createApp, createSSRApp } from "vue";
import { scenes } from "./scenes-vue.ts";

const Scene = scenes[location.pathname.slice(1) as keyof typeof scenes];
const root = document.querySelector("#root")!;
(root.childElementCount > 0 ? createSSRApp(Scene) : createApp(Scene)).mount(root);
