/** The recipes of the client's README, which the tests copy there unchanged. */
declare module "virtual:readme-vue" {
  import type { Chat, ChatOptions, ChatSnapshot } from "@kortyx/client";
  import type { ShallowRef } from "vue";
  export function useChat(options: ChatOptions): Chat & { state: ShallowRef<ChatSnapshot> };
}
declare module "virtual:readme-solid" {
  import type { Chat, ChatOptions, ChatSnapshot } from "@kortyx/client";
  import type { Accessor } from "solid-js";
  export function useChat(options: ChatOptions): Chat & { state: Accessor<ChatSnapshot> };
}
