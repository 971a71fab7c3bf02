import { IconSearch } from '@tabler/icons-react';
import classes from './Shell.module.css';

export function SearchButton({ open }: { open: () => void }) {
  return (
    <button type="button" className={classes.search} onClick={open} title="Search entities, docs, APIs, runs and pages">
      <IconSearch size={15} aria-hidden />
      <span>Search</span>
      <kbd>Ctrl K</kbd>
    </button>
  );
}
