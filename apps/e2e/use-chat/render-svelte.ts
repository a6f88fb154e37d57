/** Renders a scene as a server does, in Svelte. */
import { render } from "svelte/server";
import Scenes from "./scenes.svelte";

export const renderScene = async (scene: string): Promise<string> =>
  (await render(Scenes, { props: { scene } })).body;
