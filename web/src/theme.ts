import { createTheme, type MantineColorsTuple } from '@mantine/core';

const accent: MantineColorsTuple = [
  '#eef2ff',
  '#dbe3fd',
  '#b4c4f8',
  '#8aa2f3',
  '#6784ee',
  '#5070ea',
  '#3f60dd',
  '#3351c4',
  '#2a46ad',
  '#213a94',
];

const dark: MantineColorsTuple = [
  '#d5d8de',
  '#b9bec7',
  '#9aa1ad',
  '#6f7784',
  '#3d434d',
  '#2d323a',
  '#22262d',
  '#191c22',
  '#14171c',
  '#0f1115',
];

/** Mantine's red, dark enough in its main shades to be read on light ground and to carry white. */
const red: MantineColorsTuple = [
  '#fff5f5',
  '#ffe3e3',
  '#ffc9c9',
  '#ffa8a8',
  '#ff8787',
  '#f55a5a',
  '#d63031',
  '#c22727',
  '#a81e1e',
  '#8f1717',
];

/** Mantine's green and yellow, whose darkest shades can be read on their own light ground. */
const green: MantineColorsTuple = [
  '#ebfbee',
  '#d3f9d8',
  '#b2f2bb',
  '#8ce99a',
  '#69db7c',
  '#51cf66',
  '#40c057',
  '#37b24d',
  '#23752f',
  '#1b6127',
];
const yellow: MantineColorsTuple = [
  '#fff9db',
  '#fff3bf',
  '#ffec99',
  '#ffe066',
  '#ffd43b',
  '#fcc419',
  '#fab005',
  '#f59f00',
  '#8f5600',
  '#7a4900',
];

export const theme = createTheme({
  primaryColor: 'accent',
  primaryShade: { light: 7, dark: 6 },
  colors: { accent, dark, red, green, yellow },
  fontFamily: '"Inter Variable", system-ui, sans-serif',
  fontFamilyMonospace: 'ui-monospace, "SF Mono", Menlo, Consolas, "DejaVu Sans Mono", monospace',
  fontSizes: { xs: '12px', sm: '13px', md: '14px', lg: '16px', xl: '18px' },
  spacing: { xs: '8px', sm: '12px', md: '16px', lg: '24px', xl: '32px' },
  headings: {
    fontWeight: '600',
    sizes: { h1: { fontSize: '22px' }, h2: { fontSize: '16px' }, h3: { fontSize: '14px' } },
  },
  defaultRadius: 6,
  respectReducedMotion: true,
  cursorType: 'pointer',
  components: {
    CloseButton: { defaultProps: { 'aria-label': 'Close' } },
    Button: { defaultProps: { size: 'sm' } },
    // The placeholder would be a child of the menu that is no item of it.
    Menu: { defaultProps: { withInitialFocusPlaceholder: false } },
    TextInput: { defaultProps: { size: 'sm' } },
    Select: { defaultProps: { size: 'sm' } },
    Tooltip: { defaultProps: { openDelay: 300, withArrow: true } },
  },
});
