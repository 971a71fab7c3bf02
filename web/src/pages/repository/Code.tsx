import { Button } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { useLocation, useNavigate } from '@tanstack/react-router';
import { type CSSProperties, type MouseEvent, memo, useEffect, useMemo, useRef, useState } from 'react';
import type { Piece } from '../../code/highlight';
import { hashOf, linesOf, type Range, rangeOf } from './lines';
import classes from './repository.module.css';

/** Lines that are shown until more are asked for. */
const shownAtFirst = 3_000;

/** The lines of a text in pieces, coloured as soon as its language is there. */
export function useColoured(text: string, path: string, hash: string): Piece[][] {
  const plain = useMemo(() => linesOf(text).map((line) => [{ text: line.replace(/\r$/, '') }]), [text]);
  const coloured = useQuery({
    queryKey: ['coloured', hash, path],
    queryFn: async () => (await (await import('../../code/highlight')).highlight(text, path)) ?? null,
    staleTime: Number.POSITIVE_INFINITY,
    gcTime: 60_000,
    retry: false,
  });
  return coloured.data ? plain.map((line, i) => coloured.data?.[i] ?? line) : plain;
}

export const digitsOf = (n: number) => Math.max(2, String(n).length);

interface LineProps {
  number: number;
  pieces: Piece[];
  chosen: boolean;
}

const Line = memo(function Line({ number, pieces, chosen }: LineProps) {
  return (
    <div className={classes.line} data-chosen={chosen || undefined}>
      <a href={`#L${number}`} id={`line-${number}`} data-line={number} aria-label={`Line ${number}`}>
        {number}
      </a>
      <span>
        {pieces.map((p, i) =>
          p.kind ? (
            // biome-ignore lint/suspicious/noArrayIndexKey: pieces of a line never move
            <span key={i} className={p.kind}>
              {p.text}
            </span>
          ) : (
            p.text
          ),
        )}
        {'\n'}
      </span>
    </div>
  );
});

interface Props {
  lines: Piece[][];
  /** The number of the first of them. */
  first?: number;
  /** How many digits the numbers have, so that parts of a file stand below each other. */
  digits?: number;
  chosen?: Range;
  choose?: (line: number, more: boolean) => void;
}

/** Lines of code with their numbers, each of which is a link; shift chooses up to one. */
export function Lines({ lines, first = 1, digits, chosen, choose }: Props) {
  const onClick = (event: MouseEvent) => {
    const line = Number((event.target as HTMLElement).dataset?.line);
    if (!line || !choose) return;
    event.preventDefault();
    choose(line, event.shiftKey);
  };
  return (
    // biome-ignore lint/a11y/useKeyWithClickEvents: each number is a link of its own
    // biome-ignore lint/a11y/noStaticElementInteractions: it hears for the links in it
    <div
      className={classes.code}
      style={{ '--digits': digits ?? digitsOf(first + lines.length) } as CSSProperties}
      onClick={onClick}
    >
      {lines.map((pieces, i) => {
        const number = first + i;
        return (
          <Line
            key={number}
            number={number}
            pieces={pieces}
            chosen={chosen !== undefined && number >= chosen[0] && number <= chosen[1]}
          />
        );
      })}
    </div>
  );
}

/** The lines that the address points at, and how to point at others. */
export function useChosen(): { chosen?: Range; choose: (line: number, more: boolean) => void } {
  const { hash } = useLocation();
  const navigate = useNavigate();
  const chosen = useMemo(() => rangeOf(hash), [hash]);
  const choose = (line: number, more: boolean) => {
    const range: Range = more && chosen ? [Math.min(chosen[0], line), Math.max(chosen[1], line)] : [line, line];
    void navigate({
      to: '.',
      search: (s) => s,
      hash: hashOf(range),
      replace: true,
      resetScroll: false,
      hashScrollIntoView: false,
    });
  };
  return { chosen, choose };
}

/** A whole file; a long one is shown from its beginning until all is asked for, or its end is pointed at. */
export function CodeText({ text, path, hash }: { text: string; path: string; hash: string }) {
  const lines = useColoured(text, path, hash);
  const { chosen, choose } = useChosen();
  const [all, setAll] = useState(false);
  const whole = all || lines.length <= shownAtFirst || (chosen !== undefined && chosen[1] > shownAtFirst);
  const scrolled = useRef(false);
  useEffect(() => {
    if (scrolled.current || !chosen) return;
    scrolled.current = true;
    document.getElementById(`line-${chosen[0]}`)?.scrollIntoView({ block: 'center' });
  }, [chosen]);
  return (
    <>
      <Lines lines={whole ? lines : lines.slice(0, shownAtFirst)} chosen={chosen} choose={choose} />
      {!whole && (
        <div style={{ padding: 12, textAlign: 'center' }}>
          <Button variant="default" size="compact-sm" onClick={() => setAll(true)}>
            Show all {lines.length.toLocaleString('en')} lines
          </Button>
        </div>
      )}
    </>
  );
}
