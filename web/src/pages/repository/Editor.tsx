import { useEffect, useRef } from 'react';
import { openEditor } from './editor';
import classes from './repository.module.css';

interface Props {
  /** What it begins with; another one later changes nothing. */
  text: string;
  path: string;
  ending: '\n' | '\r\n';
  changed: (text: string) => void;
  /** Leaves the keyboard where it is: the page is about more than the text. */
  calm?: boolean;
}

/** An editor of one file. */
export default function Editor({ text, path, ending, changed, calm }: Props) {
  const place = useRef<HTMLDivElement>(null);
  const begun = useRef({ text, path, ending });
  const quiet = useRef(calm);
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
    if (!quiet.current) view.focus();
    return () => view.destroy();
  }, []);
  return (
    <>
      <div ref={place} className={`${classes.editor} ${classes.code}`} style={{ display: 'block' }} />
      <p className={classes.hint}>Tab indents. Escape, then Tab, leaves the text.</p>
    </>
  );
}
