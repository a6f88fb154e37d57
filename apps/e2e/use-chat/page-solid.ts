/** Shows the scene that the page's path names, in Solid. */
import { render } from "solid-js/web";
import { scenes } from "./scenes-solid.ts";

render(scenes[location.pathname.slice(1) as keyof typeof scenes], document.querySelector("#root")!);
