//! Values on PostgreSQL's wire, in the binary format of each type.

use bytes::BytesMut;
use tokio_postgres::types::{Format, FromSql, IsNull, ToSql, Type, to_sql_checked};

use crate::Value;

type BoxError = Box<dyn std::error::Error + Sync + Send>;

/// A value that the parameter's type has no place for.
#[derive(Debug)]
pub(super) struct Unfit(String);

impl std::fmt::Display for Unfit {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}
impl std::error::Error for Unfit {}

/// An argument. The server tells the type that it infers for each `?`.
#[derive(Debug)]
pub(super) struct Param<'a>(pub(super) &'a Value);

impl ToSql for Param<'_> {
    fn to_sql(&self, ty: &Type, out: &mut BytesMut) -> Result<IsNull, BoxError> {
        let unfit = || Unfit(format!("a {} does not fit a parameter of type {ty}", self.0.type_name()));
        match (self.0, ty) {
            (Value::Null, _) => Ok(IsNull::Yes),
            (Value::Bool(b), &Type::BOOL) => b.to_sql(ty, out),
            (Value::Int(i), &Type::INT8) => i.to_sql(ty, out),
            (Value::Int(i), &Type::INT4) => i32::try_from(*i).map_err(|_| unfit())?.to_sql(ty, out),
            (Value::Int(i), &Type::INT2) => i16::try_from(*i).map_err(|_| unfit())?.to_sql(ty, out),
            (Value::Int(i), &Type::FLOAT8) => (*i as f64).to_sql(ty, out),
            (Value::Float(x), &Type::FLOAT8) => x.to_sql(ty, out),
            (Value::Float(x), &Type::FLOAT4) => (*x as f32).to_sql(ty, out),
            (Value::Text(t), &Type::TEXT | &Type::VARCHAR | &Type::BPCHAR | &Type::NAME | &Type::JSON) => {
                out.extend_from_slice(t.as_bytes());
                Ok(IsNull::No)
            }
            (Value::Text(t), &Type::JSONB) => {
                out.extend_from_slice(&[1]); // the version of jsonb's wire format
                out.extend_from_slice(t.as_bytes());
                Ok(IsNull::No)
            }
            (Value::Bytes(b), &Type::BYTEA) => b.to_sql(ty, out),
            (value, &Type::UNKNOWN) => text(value, out).ok_or_else(|| unfit().into()),
            _ => Err(unfit().into()),
        }
    }

    fn accepts(_: &Type) -> bool {
        true // to_sql answers for each value
    }

    fn encode_format(&self, ty: &Type) -> Format {
        if *ty == Type::UNKNOWN { Format::Text } else { Format::Binary }
    }

    to_sql_checked!();
}

/// Writes a value as a literal is written, for a parameter whose type only the server knows.
fn text(value: &Value, out: &mut BytesMut) -> Option<IsNull> {
    match value {
        Value::Bool(b) => out.extend_from_slice(if *b { b"t" } else { b"f" }),
        Value::Int(i) => out.extend_from_slice(i.to_string().as_bytes()),
        Value::Float(x) => out.extend_from_slice(format!("{x:?}").as_bytes()), // as short as it can be read back
        Value::Text(t) => out.extend_from_slice(t.as_bytes()),
        Value::Bytes(bytes) => {
            const DIGITS: &[u8; 16] = b"0123456789abcdef";
            out.extend_from_slice(b"\\x");
            let digits = |byte: &u8| [DIGITS[usize::from(byte >> 4)], DIGITS[usize::from(byte & 15)]];
            bytes.iter().map(digits).for_each(|pair| out.extend_from_slice(&pair));
        }
        Value::Null | Value::List(_) => return None,
    }
    Some(IsNull::No)
}

/// A column, as it came.
pub(super) struct Field(pub(super) Value);

impl Field {
    pub(super) fn read(ty: &Type, raw: &[u8]) -> Result<Field, BoxError> {
        Ok(Field(match *ty {
            Type::BOOL => Value::Bool(bool::from_sql(ty, raw)?),
            Type::INT8 => Value::Int(i64::from_sql(ty, raw)?),
            Type::INT4 => Value::Int(i32::from_sql(ty, raw)?.into()),
            Type::INT2 => Value::Int(i16::from_sql(ty, raw)?.into()),
            Type::OID => Value::Int(u32::from_sql(ty, raw)?.into()),
            Type::FLOAT8 => Value::Float(f64::from_sql(ty, raw)?),
            Type::FLOAT4 => Value::Float(f32::from_sql(ty, raw)?.into()),
            Type::BYTEA => Value::Bytes(raw.to_vec()),
            Type::TEXT | Type::VARCHAR | Type::BPCHAR | Type::NAME | Type::JSON | Type::UNKNOWN => {
                Value::Text(std::str::from_utf8(raw)?.to_owned())
            }
            Type::JSONB => Value::Text(std::str::from_utf8(raw.get(1..).unwrap_or_default())?.to_owned()),
            // Such as numeric, which sum() makes of bigints: what it shall become is for the statement to say.
            _ => return Err(format!("columns of type {ty} are not read: cast it in the statement").into()),
        }))
    }
}

impl<'a> FromSql<'a> for Field {
    fn from_sql(ty: &Type, raw: &'a [u8]) -> Result<Self, BoxError> {
        Field::read(ty, raw)
    }

    fn from_sql_null(_: &Type) -> Result<Self, BoxError> {
        Ok(Field(Value::Null))
    }

    fn accepts(_: &Type) -> bool {
        true // from_sql answers for each value
    }
}
