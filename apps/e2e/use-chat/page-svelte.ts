/** Shows the scene in the page's path, in Svelte. */
import { hydrate, mount } from "svelte";
import Scenes from "./scenes.svelte";

const target = document.querySelector("#root")!;
const options = { target, props: { scene: location.pathname.slice(1) } };
if (target.childElementCount > 0) hydrate(Scenes, options);
else mount(Scenes, options);
