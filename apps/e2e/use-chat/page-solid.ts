/** Shows the scene in the page's path, in Solid. */
import { render } from "solid-js/web";
import { scenes } from "./scenes-solid.ts";

render(scenes[location.pathname.slice(1) as keyof typeof scenes], document.querySelector("#root")!);
