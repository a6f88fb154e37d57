/** What may be wider than its column scrolls by itself, with a keyboard too, and never the page. */
import type { ReactNode } from "react";

export function WideContent({ label, children }: { label: string; children: ReactNode }) {
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls can be scrolled with a keyboard.
    // biome-ignore lint/a11y/useSemanticElements: a section would be a landmark, and a fieldset is for a form.
    <div className="wide-content" role="group" tabIndex={0} aria-label={label}>
      {children}
    </div>
  );
}
