/** A column where there is room for it, else a drawer that is opened, and left with Escape or a click beside it. */
import { type ReactNode, useEffect, useRef } from "react";
import { CloseIcon } from "./icons.tsx";

export interface SidebarProps {
  isStatic: boolean;
  /** Of the drawer. */
  isOpen: boolean;
  onClose: () => void;
  children: ReactNode;
}

export function Sidebar({ isStatic, isOpen, onClose, children }: SidebarProps) {
  const drawer = useRef<HTMLDialogElement>(null);
  useEffect(() => {
    if (isOpen && !isStatic) drawer.current?.showModal();
    else drawer.current?.close();
  }, [isOpen, isStatic]);

  if (isStatic) {
    return (
      <nav className="sidebar" aria-label="Conversations">
        {children}
      </nav>
    );
  }
  return (
    // biome-ignore lint/a11y/useKeyWithClickEvents: Escape closes a dialog by itself.
    <dialog
      ref={drawer}
      className="drawer"
      aria-label="Conversations"
      onClose={onClose}
      // Only what lies beside the content is the dialog itself.
      onClick={(event) => event.target === drawer.current && onClose()}
    >
      <div className="sidebar">
        <button type="button" className="icon-button close-button" aria-label="Close" onClick={onClose}>
          <CloseIcon />
        </button>
        {children}
      </div>
    </dialog>
  );
}
