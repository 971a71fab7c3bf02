import type { TextPiece } from '../api/types';
import classes from './Pieces.module.css';

/** A text in which what a search found is marked. */
export function Pieces({ of }: { of: TextPiece[] }) {
  let at = 0;
  return of.map((piece) => {
    const key = at;
    at += piece.text.length;
    return piece.match ? (
      <mark key={key} className={classes.match}>
        {piece.text}
      </mark>
    ) : (
      <span key={key}>{piece.text}</span>
    );
  });
}
