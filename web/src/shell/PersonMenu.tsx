import { Affix, Menu, useMantineColorScheme } from '@mantine/core';
import { IconDeviceDesktop, IconKey, IconLogout, IconMoon, IconSun } from '@tabler/icons-react';
import { useNavigate } from '@tanstack/react-router';
import { useSignOut } from '../api/actions';
import type { Me } from '../api/types';
import { Failure } from '../parts/Failure';
import classes from './Shell.module.css';

interface Props {
  who: Me;
  label: string;
  opened: boolean;
  change: (opened: boolean) => void;
}

export default function PersonMenu({ who, label, opened, change }: Props) {
  const { colorScheme, setColorScheme } = useMantineColorScheme();
  const navigate = useNavigate();
  const signOut = useSignOut();
  const lent = (who.lent ?? []).map((l) => (l.group ? `as of ${l.group}` : `${l.role} in ${l.space}`));
  const schemes = [
    { name: 'light', label: 'Light', icon: IconSun },
    { name: 'dark', label: 'Dark', icon: IconMoon },
    { name: 'auto', label: 'As the system', icon: IconDeviceDesktop },
  ] as const;
  return (
    <>
      <Menu position="bottom-end" width={220} opened={opened} onChange={change}>
        <Menu.Target>
          <button type="button" className={classes.person} aria-label={`${who.name}: tokens, colours, sign out`}>
            {label}
          </button>
        </Menu.Target>
        <Menu.Dropdown>
          <Menu.Label>
            {who.name}
            <br />
            {who.ref}
            {who.admin && ' · administrator'}
            {lent.length > 0 && (
              <>
                <br />
                For this session: {lent.slice(0, 5).join(', ')}
                {lent.length > 5 && ` and ${lent.length - 5} more`}
              </>
            )}
          </Menu.Label>
          <Menu.Item leftSection={<IconKey size={16} aria-hidden />} onClick={() => navigate({ to: '/tokens' })}>
            Tokens
          </Menu.Item>
          <Menu.Divider />
          {schemes.map(({ name, label: text, icon: Icon }) => (
            <Menu.Item
              key={name}
              leftSection={<Icon size={16} aria-hidden />}
              rightSection={colorScheme === name ? '✓' : undefined}
              onClick={() => setColorScheme(name)}
            >
              {text}
            </Menu.Item>
          ))}
          <Menu.Divider />
          <Menu.Item
            leftSection={<IconLogout size={16} aria-hidden />}
            closeMenuOnClick={false}
            disabled={signOut.isPending}
            onClick={() => signOut.mutate(undefined, { onSuccess: () => navigate({ to: '/signin' }) })}
          >
            Sign out
          </Menu.Item>
        </Menu.Dropdown>
      </Menu>
      {opened && signOut.error && (
        <Affix position={{ bottom: 16, right: 16 }} maw="calc(100vw - 32px)">
          <Failure error={signOut.error} title="You are still signed in" />
        </Affix>
      )}
    </>
  );
}
