/** Renders a scene on a server, in Svelte. */
import { render } from "svelte/server";
import Scenes from "./scenes.svelte";

export const renderScene = async (scene: string): Promise<string> =>
  (await render(Scenes, { props: { scene } })).body;
