/** The events of AG-UI in a page: the mapping from chunks, and from its requests. */
export {
  type AGUIEvent,
  type AGUIRequestBody,
  type AGUITranslatorOptions,
  type ChunkTranslator,
  createAGUITranslator,
  fromAGUIRequest,
  isAGUIRequest,
  toAGUI,
} from "@kortyx/protocol/ag-ui";
