import { type DragEvent, type ReactNode, useState } from 'react';
import classes from './repository.module.css';

interface Props {
  take: (files: File[]) => void;
  /** Looks like nothing until files are held over it. */
  quiet?: boolean;
  off?: boolean;
  children: ReactNode;
}

/** Where files can be dropped. Whoever uses no mouse chooses them by a button, which stands beside. */
export function Dropzone({ take, quiet, off, children }: Props) {
  const [over, setOver] = useState(false);
  const holdsFiles = (event: DragEvent) => !off && event.dataTransfer.types.includes('Files');
  return (
    // biome-ignore lint/a11y/noStaticElementInteractions: dropping is one way of two
    <div
      className={classes.dropzone}
      data-quiet={quiet || undefined}
      data-over={over || undefined}
      onDragOver={(event) => {
        if (!holdsFiles(event)) return;
        event.preventDefault();
        event.dataTransfer.dropEffect = 'copy';
        setOver(true);
      }}
      onDragLeave={(event) => {
        if (!event.currentTarget.contains(event.relatedTarget as Node | null)) setOver(false);
      }}
      onDrop={(event) => {
        setOver(false);
        if (!holdsFiles(event)) return;
        event.preventDefault();
        take([...event.dataTransfer.files]);
      }}
    >
      {children}
    </div>
  );
}
