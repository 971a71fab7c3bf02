import { TextInput, type TextInputProps } from '@mantine/core';
import { useDebouncedCallback } from '@mantine/hooks';
import { useEffect, useState } from 'react';

interface Props extends Omit<TextInputProps, 'value' | 'onChange'> {
  value?: string;
  set: (value: string | undefined) => void;
}

/** A text that filters: the address follows what is typed after a moment, and the text follows the address. */
export function FilterText({ value = '', set, ...rest }: Props) {
  const [text, setText] = useState(value);
  const settle = useDebouncedCallback((next: string) => set(next.trim() || undefined), 150);
  useEffect(() => {
    setText((typed) => (typed.trim() === value ? typed : value));
  }, [value]);
  return (
    <TextInput
      {...rest}
      value={text}
      onChange={(e) => {
        setText(e.currentTarget.value);
        settle(e.currentTarget.value);
      }}
    />
  );
}
