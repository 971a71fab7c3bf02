import { useEffect, useRef } from 'react';
import { openEditor } from './editor';
import classes from './repository.module.css';

interface Props {
  /** What it begins with; another one later changes nothing. */
  text: string;
  path: string;
  ending: '\n' | '\r\n';
  changed: (text: string) => void;
}

/** An editor of one file. */
export default function Editor({ text, path, ending, changed }: Props) {
  const place = useRef<HTMLDivElement>(null);
  const begun = useRef({ text, path, ending });
  const told = useRef(changed);
  told.current = changed;
  useEffect(() => {
    if (!place.current) return;
    const view = openEditor({
      ...begun.current,
      parent: place.current,
      label: `Text of ${begun.current.path || 'the file'}`,
      changed: (now) => told.current(now),
    });
    view.focus();
    return () => view.destroy();
  }, []);
  return (
    <>
      <div ref={place} className={`${classes.editor} ${classes.code}`} style={{ display: 'block' }} />
      <p className={classes.hint}>Tab indents. Escape, then Tab, leaves the text.</p>
    </>
  );
}
