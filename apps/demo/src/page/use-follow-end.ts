/** Keeps the end of a growing list in view, until the reader scrolls away from it. */
import { type RefObject, useEffect, useLayoutEffect, useRef, useState } from "react";

/** A list that scrolls by whole pixels may end a fraction of one below its view. */
const tolerance = 2;

/**
 * @param content - The growing content; compared by identity.
 * @param count - When this changes, the end comes into view wherever the reader is; at 0 there is nothing to follow.
 */
export function useFollowEnd(list: RefObject<HTMLElement | null>, content: unknown, count: number) {
  const isFollowing = useRef(true);
  /** Whether the end is in view, or will be with the next change. */
  const [isAtEnd, setAtEnd] = useState(true);

  function scrollToEnd(): void {
    const element = list.current!;
    isFollowing.current = true;
    element.scrollTop = element.scrollHeight;
    setAtEnd(true);
  }

  useEffect(() => {
    const element = list.current!;
    let before = element.scrollTop;
    const onScroll = () => {
      const { scrollTop, scrollHeight, clientHeight } = element;
      const isEnd = scrollHeight - scrollTop - clientHeight <= tolerance;
      // The end moves away from a reader who stays; only scrolling up leaves it.
      isFollowing.current = isEnd || (isFollowing.current && scrollTop >= before);
      before = scrollTop;
      setAtEnd(isFollowing.current);
    };
    const observer = new ResizeObserver(() => {
      if (isFollowing.current) element.scrollTop = element.scrollHeight;
    });
    element.addEventListener("scroll", onScroll, { passive: true });
    observer.observe(element);
    return () => {
      element.removeEventListener("scroll", onScroll);
      observer.disconnect();
    };
  }, [list]);
  useLayoutEffect(() => {
    isFollowing.current = count > 0;
    setAtEnd(true);
  }, [count]);
  useLayoutEffect(() => {
    const element = list.current!;
    if (isFollowing.current) element.scrollTop = element.scrollHeight;
  }, [list, content]);

  return { isAtEnd, scrollToEnd };
}
