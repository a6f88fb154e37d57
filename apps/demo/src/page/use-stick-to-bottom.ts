/** Keeps the end of a growing list in view, until the reader scrolls away from it. */
import { type RefObject, useEffect, useLayoutEffect, useRef } from "react";

/** So far from the end still counts as being there, in CSS pixels. */
const tolerance = 48;

/**
 * @param content - What grows; compared by identity.
 * @param anchor - When this changes, the end comes into view wherever the reader is.
 */
export function useStickToBottom(
  list: RefObject<HTMLElement | null>,
  content: unknown,
  anchor: unknown,
): void {
  const isStuck = useRef(true);

  useEffect(() => {
    const element = list.current!;
    const onScroll = () => {
      isStuck.current = element.scrollHeight - element.scrollTop - element.clientHeight <= tolerance;
    };
    element.addEventListener("scroll", onScroll, { passive: true });
    return () => element.removeEventListener("scroll", onScroll);
  }, [list]);

  useLayoutEffect(() => {
    isStuck.current = true;
  }, [anchor]);

  useLayoutEffect(() => {
    const element = list.current!;
    if (isStuck.current) element.scrollTop = element.scrollHeight;
  }, [list, content]);
}
