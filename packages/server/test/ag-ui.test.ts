import { expect, test } from "vitest";
import * as agUI from "../src/ag-ui.ts";

test("./ag-ui exports exactly these names", () => {
  expect(Object.keys(agUI).sort()).toEqual([
    "createAGUITranslator",
    "fromAGUIRequest",
    "isAGUIRequest",
    "toAGUI",
  ]);
});
