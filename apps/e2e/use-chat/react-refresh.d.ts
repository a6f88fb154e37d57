/** The part of `react-refresh` that the scenes use; the package has no types. */
declare module "react-refresh/runtime" {
  export function injectIntoGlobalHook(target: object): void;
  export function register(type: unknown, id: string): void;
  /**
   * @returns a function that is called inside the component, and then with the component and the names of its hooks.
   */
  export function createSignatureFunctionForTransform(): (type?: unknown, hooks?: string) => void;
  export function performReactRefresh(): void;
}
