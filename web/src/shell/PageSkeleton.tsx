import { Skeleton } from '@mantine/core';
import { Rows } from '../parts/Page';

export function PageSkeleton() {
  return (
    <div style={{ padding: '24px clamp(16px, 2.5vw, 40px)' }}>
      <Skeleton height={26} width={220} mb="lg" />
      <Rows count={8} />
    </div>
  );
}
